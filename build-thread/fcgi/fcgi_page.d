build-thread/fcgi/fcgi_page.o: fcgi/fcgi_page.c fcgi/fcgi_page.h \
 src/reg_page.h src/reg_error.h src/reg_str.h src/banned.h src/reg_ref.h \
 src/reg_digest.h
fcgi/fcgi_page.h:
src/reg_page.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:
src/reg_ref.h:
src/reg_digest.h:

build-thread/src/reg_page.o: src/reg_page.c src/reg_page.h \
 src/reg_error.h src/reg_str.h src/banned.h src/reg_query.h
src/reg_page.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:
src/reg_query.h:

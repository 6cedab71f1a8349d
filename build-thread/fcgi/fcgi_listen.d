build-thread/fcgi/fcgi_listen.o: fcgi/fcgi_listen.c fcgi/fcgi_listen.h \
 src/reg_config.h src/reg_error.h src/reg_str.h src/banned.h
fcgi/fcgi_listen.h:
src/reg_config.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:

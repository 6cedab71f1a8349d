build-address/fcgi/fcgi_log.o: fcgi/fcgi_log.c fcgi/fcgi_log.h \
 src/reg_config.h src/reg_error.h src/reg_str.h src/banned.h
fcgi/fcgi_log.h:
src/reg_config.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:

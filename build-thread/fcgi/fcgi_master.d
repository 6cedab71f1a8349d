build-thread/fcgi/fcgi_master.o: fcgi/fcgi_master.c fcgi/fcgi_master.h \
 fcgi/fcgi_log.h src/reg_config.h src/reg_error.h src/reg_str.h \
 src/banned.h fcgi/fcgi_listen.h fcgi/fcgi_worker.h
fcgi/fcgi_master.h:
fcgi/fcgi_log.h:
src/reg_config.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:
fcgi/fcgi_listen.h:
fcgi/fcgi_worker.h:

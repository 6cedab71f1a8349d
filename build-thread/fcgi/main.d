build-thread/fcgi/main.o: fcgi/main.c fcgi/fcgi_log.h src/reg_config.h \
 src/reg_error.h src/reg_str.h src/banned.h fcgi/fcgi_master.h \
 src/reg_store.h src/reg_layout.h src/reg_ref.h src/reg_digest.h
fcgi/fcgi_log.h:
src/reg_config.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:
fcgi/fcgi_master.h:
src/reg_store.h:
src/reg_layout.h:
src/reg_ref.h:
src/reg_digest.h:

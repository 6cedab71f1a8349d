build-address/fcgi/fcgi_worker.o: fcgi/fcgi_worker.c fcgi/fcgi_worker.h \
 fcgi/fcgi_log.h src/reg_config.h src/reg_error.h src/reg_str.h \
 src/banned.h fcgi/fcgi_server.h fcgi/fcgi_service.h fcgi/fcgi_cache.h \
 src/reg_digest.h src/reg_mediatype.h src/reg_store.h src/reg_layout.h \
 src/reg_ref.h src/reg_digest.h
fcgi/fcgi_worker.h:
fcgi/fcgi_log.h:
src/reg_config.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:
fcgi/fcgi_server.h:
fcgi/fcgi_service.h:
fcgi/fcgi_cache.h:
src/reg_digest.h:
src/reg_mediatype.h:
src/reg_store.h:
src/reg_layout.h:
src/reg_ref.h:
src/reg_digest.h:

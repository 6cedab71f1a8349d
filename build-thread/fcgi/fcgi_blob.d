build-thread/fcgi/fcgi_blob.o: fcgi/fcgi_blob.c fcgi/fcgi_blob.h \
 fcgi/fcgi_route.h fcgi/fcgi_reply.h fcgi/fcgi_cache.h src/reg_digest.h \
 src/reg_str.h src/banned.h src/reg_mediatype.h src/reg_error.h \
 src/reg_ref.h src/reg_digest.h fcgi/fcgi_request.h fcgi/fcgi_wire.h \
 src/reg_target.h src/reg_error.h src/reg_ref.h fcgi/fcgi_service.h \
 fcgi/fcgi_log.h src/reg_config.h src/reg_store.h src/reg_layout.h \
 src/reg_blob.h src/reg_store.h
fcgi/fcgi_blob.h:
fcgi/fcgi_route.h:
fcgi/fcgi_reply.h:
fcgi/fcgi_cache.h:
src/reg_digest.h:
src/reg_str.h:
src/banned.h:
src/reg_mediatype.h:
src/reg_error.h:
src/reg_ref.h:
src/reg_digest.h:
fcgi/fcgi_request.h:
fcgi/fcgi_wire.h:
src/reg_target.h:
src/reg_error.h:
src/reg_ref.h:
fcgi/fcgi_service.h:
fcgi/fcgi_log.h:
src/reg_config.h:
src/reg_store.h:
src/reg_layout.h:
src/reg_blob.h:
src/reg_store.h:

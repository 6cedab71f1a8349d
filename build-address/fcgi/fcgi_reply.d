build-address/fcgi/fcgi_reply.o: fcgi/fcgi_reply.c fcgi/fcgi_reply.h \
 fcgi/fcgi_cache.h src/reg_digest.h src/reg_str.h src/banned.h \
 src/reg_mediatype.h src/reg_error.h src/reg_ref.h src/reg_digest.h
fcgi/fcgi_reply.h:
fcgi/fcgi_cache.h:
src/reg_digest.h:
src/reg_str.h:
src/banned.h:
src/reg_mediatype.h:
src/reg_error.h:
src/reg_ref.h:
src/reg_digest.h:

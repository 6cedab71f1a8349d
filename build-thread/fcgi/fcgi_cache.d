build-thread/fcgi/fcgi_cache.o: fcgi/fcgi_cache.c fcgi/fcgi_cache.h \
 src/reg_digest.h src/reg_str.h src/banned.h src/reg_mediatype.h
fcgi/fcgi_cache.h:
src/reg_digest.h:
src/reg_str.h:
src/banned.h:
src/reg_mediatype.h:

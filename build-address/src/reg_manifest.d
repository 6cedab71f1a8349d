build-address/src/reg_manifest.o: src/reg_manifest.c src/reg_manifest.h \
 src/reg_digest.h src/reg_str.h src/banned.h src/reg_error.h \
 src/reg_mediatype.h
src/reg_manifest.h:
src/reg_digest.h:
src/reg_str.h:
src/banned.h:
src/reg_error.h:
src/reg_mediatype.h:

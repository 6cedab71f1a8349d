build-address/src/reg_mediatype.o: src/reg_mediatype.c \
 src/reg_mediatype.h src/reg_str.h src/banned.h
src/reg_mediatype.h:
src/reg_str.h:
src/banned.h:

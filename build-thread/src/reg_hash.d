build-thread/src/reg_hash.o: src/reg_hash.c src/reg_hash.h \
 src/reg_digest.h src/reg_str.h src/banned.h
src/reg_hash.h:
src/reg_digest.h:
src/reg_str.h:
src/banned.h:

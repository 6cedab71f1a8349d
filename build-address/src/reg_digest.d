build-address/src/reg_digest.o: src/reg_digest.c src/reg_digest.h \
 src/reg_str.h src/banned.h
src/reg_digest.h:
src/reg_str.h:
src/banned.h:

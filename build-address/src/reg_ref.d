build-address/src/reg_ref.o: src/reg_ref.c src/reg_ref.h src/reg_digest.h \
 src/reg_str.h src/banned.h
src/reg_ref.h:
src/reg_digest.h:
src/reg_str.h:
src/banned.h:

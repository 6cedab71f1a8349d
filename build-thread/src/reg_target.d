build-thread/src/reg_target.o: src/reg_target.c src/reg_target.h \
 src/reg_error.h src/reg_str.h src/banned.h src/reg_ref.h \
 src/reg_digest.h
src/reg_target.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:
src/reg_ref.h:
src/reg_digest.h:

build-thread/src/reg_layout.o: src/reg_layout.c src/reg_layout.h \
 src/reg_ref.h src/reg_digest.h src/reg_str.h src/banned.h
src/reg_layout.h:
src/reg_ref.h:
src/reg_digest.h:
src/reg_str.h:
src/banned.h:

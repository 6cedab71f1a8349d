build-thread/src/reg_link.o: src/reg_link.c src/reg_link.h \
 src/reg_store.h src/reg_error.h src/reg_str.h src/banned.h \
 src/reg_layout.h src/reg_ref.h src/reg_digest.h
src/reg_link.h:
src/reg_store.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:
src/reg_layout.h:
src/reg_ref.h:
src/reg_digest.h:

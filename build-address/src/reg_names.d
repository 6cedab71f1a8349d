build-address/src/reg_names.o: src/reg_names.c src/reg_names.h \
 src/reg_store.h src/reg_error.h src/reg_str.h src/banned.h \
 src/reg_layout.h src/reg_ref.h src/reg_digest.h
src/reg_names.h:
src/reg_store.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:
src/reg_layout.h:
src/reg_ref.h:
src/reg_digest.h:

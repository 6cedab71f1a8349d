build-address/src/reg_sync.o: src/reg_sync.c src/reg_sync.h \
 src/reg_store.h src/reg_error.h src/reg_str.h src/banned.h \
 src/reg_layout.h src/reg_ref.h src/reg_digest.h
src/reg_sync.h:
src/reg_store.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:
src/reg_layout.h:
src/reg_ref.h:
src/reg_digest.h:

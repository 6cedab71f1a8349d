build-thread/src/reg_blob.o: src/reg_blob.c src/reg_blob.h \
 src/reg_store.h src/reg_error.h src/reg_str.h src/banned.h \
 src/reg_layout.h src/reg_ref.h src/reg_digest.h src/reg_durable.h \
 src/reg_link.h
src/reg_blob.h:
src/reg_store.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:
src/reg_layout.h:
src/reg_ref.h:
src/reg_digest.h:
src/reg_durable.h:
src/reg_link.h:

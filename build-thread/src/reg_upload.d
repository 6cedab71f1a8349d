build-thread/src/reg_upload.o: src/reg_upload.c src/reg_upload.h \
 src/reg_hash.h src/reg_digest.h src/reg_str.h src/banned.h \
 src/reg_store.h src/reg_error.h src/reg_layout.h src/reg_ref.h \
 src/reg_target.h src/reg_durable.h
src/reg_upload.h:
src/reg_hash.h:
src/reg_digest.h:
src/reg_str.h:
src/banned.h:
src/reg_store.h:
src/reg_error.h:
src/reg_layout.h:
src/reg_ref.h:
src/reg_target.h:
src/reg_durable.h:

build-thread/fcgi/fcgi_request.o: fcgi/fcgi_request.c fcgi/fcgi_request.h \
 fcgi/fcgi_wire.h src/reg_error.h src/reg_str.h src/banned.h \
 src/reg_target.h src/reg_error.h src/reg_ref.h src/reg_digest.h
fcgi/fcgi_request.h:
fcgi/fcgi_wire.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:
src/reg_target.h:
src/reg_error.h:
src/reg_ref.h:
src/reg_digest.h:

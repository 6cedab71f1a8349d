build-thread/src/reg_error.o: src/reg_error.c src/reg_error.h \
 src/reg_str.h src/banned.h
src/reg_error.h:
src/reg_str.h:
src/banned.h:

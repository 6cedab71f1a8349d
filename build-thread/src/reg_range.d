build-thread/src/reg_range.o: src/reg_range.c src/reg_range.h \
 src/reg_error.h src/reg_str.h src/banned.h
src/reg_range.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:

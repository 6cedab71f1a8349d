build-thread/src/reg_str.o: src/reg_str.c src/reg_str.h src/banned.h
src/reg_str.h:
src/banned.h:

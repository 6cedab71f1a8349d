build-address/src/reg_query.o: src/reg_query.c src/reg_query.h \
 src/reg_str.h src/banned.h
src/reg_query.h:
src/reg_str.h:
src/banned.h:

build-address/src/reg_config.o: src/reg_config.c src/reg_config.h \
 src/reg_error.h src/reg_str.h src/banned.h src/reg_config_key.h
src/reg_config.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:
src/reg_config_key.h:

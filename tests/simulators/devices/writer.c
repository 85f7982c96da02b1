/* Writes a coil (table c) or a holding register (table h) by libmodbus, reads it back, says what came of it.

   writer HOST PORT UNIT TABLE ADDRESS VALUE */

#include <errno.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    uint8_t bit = 0;
    uint16_t word = 0;

    if (argc != 7)
        return 2;
    int coil = argv[4][0] == 'c', address = atoi(argv[5]), value = atoi(argv[6]);
    modbus_t *line = modbus_new_tcp(argv[1], atoi(argv[2]));
    modbus_set_slave(line, atoi(argv[3]));
    modbus_set_response_timeout(line, 5, 0);
    if (modbus_connect(line) < 0)
        return 3;
    int got = coil ? modbus_write_bit(line, address, value) : modbus_write_register(line, address, value);
    if (got == 1)
        got = coil ? modbus_read_bits(line, address, 1, &bit) : modbus_read_registers(line, address, 1, &word);
    if (got == 1)
        printf("ok %d\n", coil ? bit : word);
    else if (errno > MODBUS_ENOBASE && errno < EMBBADCRC)
        printf("exception %d\n", errno - MODBUS_ENOBASE);
    else
        printf("bad %s\n", modbus_strerror(errno));
    modbus_close(line);
    modbus_free(line);
    return 0;
}

/* Reads input registers by libmodbus and says what came of each try, one line each.

   reader HOST PORT UNIT ADDRESS COUNT MILLISECONDS TIMES */

#include <errno.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    uint16_t words[125];

    if (argc != 8)
        return 2;
    int count = atoi(argv[5]), milliseconds = atoi(argv[6]), times = atoi(argv[7]);
    modbus_t *line = modbus_new_tcp(argv[1], atoi(argv[2]));
    modbus_set_slave(line, atoi(argv[3]));
    modbus_set_response_timeout(line, milliseconds / 1000, milliseconds % 1000 * 1000);
    modbus_set_byte_timeout(line, milliseconds / 1000, milliseconds % 1000 * 1000);
    modbus_set_error_recovery(line, MODBUS_ERROR_RECOVERY_PROTOCOL);
    for (int time = 0; time < times; time++) {
        /* connected anew where the connection is gone */
        if (modbus_get_socket(line) < 0 && modbus_connect(line) < 0) {
            printf("%s\n", errno == ECONNREFUSED ? "refused" : modbus_strerror(errno));
            continue;
        }
        int got = modbus_read_input_registers(line, atoi(argv[4]), count, words);
        if (got == count) {
            printf("ok");
            for (int place = 0; place < count; place++)
                printf(" %d", words[place]);
            printf("\n");
        } else if (errno == ECONNRESET) {
            printf("reset\n");
            modbus_close(line);
        } else if (errno == ETIMEDOUT) {
            printf("timeout\n");
        } else if (errno > MODBUS_ENOBASE && errno < EMBBADCRC) {
            printf("exception %d\n", errno - MODBUS_ENOBASE);
        } else {
            /* what it was is forgotten when it empties the line */
            printf("bad\n");
        }
    }
    modbus_close(line);
    modbus_free(line);
    return 0;
}

// cast: floats to halves and back.
#include "halves.cl"

/* Typed parameters, beyond what virt.h declares. */
#ifndef VIRT_COMMON_PARAMS_H
#define VIRT_COMMON_PARAMS_H

#include "../driver.h"

/* A deep copy; NULL with the error set, or where there are none. */
VIRT_INTERNAL virTypedParameterPtr virTypedParamsCopy(const virTypedParameter *params, int nparams);
/* "int", "string", ...: a VIR_TYPED_PARAM_* type for messages. */
VIRT_INTERNAL const char *virTypedParamTypeName(int type);

#endif

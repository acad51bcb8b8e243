/*
 * Typed parameters: arrays of name, type and value, as many of libvirt's calls take and give them. These are public functions;
 * drivers use them too, for what they report.
 */
#include "params.h"
#include "file.h"

#include <limits.h>
#include <stdio.h>

#define VIRT_FROM VIR_FROM_NONE

virTypedParameterPtr
virTypedParamsGet(virTypedParameterPtr params, int nparams, const char *name)
{
    int i;

    virResetLastError();
    for (i = 0; params != NULL && name != NULL && i < nparams; i++)
        if (strcmp(params[i].field, name) == 0)
            return &params[i];
    return NULL;
}

VIRT_INTERNAL const char *
virTypedParamTypeName(int type)
{
    static const char *const names[] = { NULL, "int", "uint", "llong", "ullong", "double", "boolean", "string" };

    return type > 0 && type < VIR_TYPED_PARAM_LAST ? names[type] : "unknown";
}

/* The parameter of this name if it has this type: 1, 0 there is none, -1 it has another type. */
static int
virTypedParamFind(virTypedParameterPtr params, int nparams, const char *name, int type, virTypedParameterPtr *found)
{
    *found = virTypedParamsGet(params, nparams, name);
    if (*found == NULL)
        return 0;
    if ((*found)->type == type)
        return 1;
    virReportError(VIR_ERR_INVALID_ARG, "parameter '%s' has type '%s', not '%s'", name, virTypedParamTypeName((*found)->type),
                   virTypedParamTypeName(type));
    virErrorDispatch(NULL);
    return -1;
}

/* Room for one more, which is returned zeroed but for name and type, and not yet counted; NULL with the error set. */
static virTypedParameterPtr
virTypedParamRoom(virTypedParameterPtr *params, int *nparams, int *maxparams, const char *name, int type)
{
    virTypedParameterPtr grown, param;
    int max;

    virResetLastError();
    if (params == NULL || nparams == NULL || maxparams == NULL || name == NULL) {
        virReportError(VIR_ERR_INVALID_ARG, "the arguments of virTypedParamsAdd must not be NULL");
        return NULL;
    }
    if (strlen(name) >= VIR_TYPED_PARAM_FIELD_LENGTH) {
        virReportError(VIR_ERR_INVALID_ARG, "parameter name '%s' is longer than %d characters", name,
                       VIR_TYPED_PARAM_FIELD_LENGTH - 1);
        return NULL;
    }
    if (*nparams >= *maxparams) {
        max = *nparams > INT_MAX / 2 - 8 ? INT_MAX : *nparams * 2 + 8;
        grown = *nparams < INT_MAX ? realloc(*params, (size_t)max * sizeof(**params)) : NULL;
        if (grown == NULL) {
            virReportNoMemory();
            return NULL;
        }
        *params = grown;
        *maxparams = max;
    }
    param = &(*params)[*nparams];
    memset(param, 0, sizeof(*param));
    strcpy(param->field, name);
    param->type = type;
    return param;
}

/* The six types that hold a number: get and add differ by type and member alone. */
#define VIRT_NUMBER_PARAM(Name, ctype, typecode, member)                                                                    \
    int                                                                                                                     \
    virTypedParamsGet##Name(virTypedParameterPtr params, int nparams, const char *name, ctype *value)                       \
    {                                                                                                                       \
        virTypedParameterPtr param;                                                                                         \
        int rc = virTypedParamFind(params, nparams, name, typecode, &param);                                                \
                                                                                                                            \
        if (rc == 1 && value != NULL)                                                                                       \
            *value = (ctype)param->value.member;                                                                            \
        return rc;                                                                                                          \
    }                                                                                                                       \
    int                                                                                                                     \
    virTypedParamsAdd##Name(virTypedParameterPtr *params, int *nparams, int *maxparams, const char *name, ctype value)      \
    {                                                                                                                       \
        virTypedParameterPtr param = virTypedParamRoom(params, nparams, maxparams, name, typecode);                         \
                                                                                                                            \
        if (param == NULL) {                                                                                                \
            virErrorDispatch(NULL);                                                                                         \
            return -1;                                                                                                      \
        }                                                                                                                   \
        virTypedParamSet##Name(param, value);                                                                               \
        (*nparams)++;                                                                                                       \
        return 0;                                                                                                           \
    }
#define VIRT_NUMBER_SET(Name, ctype, member) \
    static void virTypedParamSet##Name(virTypedParameterPtr param, ctype value) { param->value.member = value; }

VIRT_NUMBER_SET(Int, int, i)
VIRT_NUMBER_SET(UInt, unsigned int, ui)
VIRT_NUMBER_SET(LLong, long long, l)
VIRT_NUMBER_SET(ULLong, unsigned long long, ul)
VIRT_NUMBER_SET(Double, double, d)
static void virTypedParamSetBoolean(virTypedParameterPtr param, int value) { param->value.b = value != 0; }

VIRT_NUMBER_PARAM(Int, int, VIR_TYPED_PARAM_INT, i)
VIRT_NUMBER_PARAM(UInt, unsigned int, VIR_TYPED_PARAM_UINT, ui)
VIRT_NUMBER_PARAM(LLong, long long, VIR_TYPED_PARAM_LLONG, l)
VIRT_NUMBER_PARAM(ULLong, unsigned long long, VIR_TYPED_PARAM_ULLONG, ul)
VIRT_NUMBER_PARAM(Double, double, VIR_TYPED_PARAM_DOUBLE, d)
VIRT_NUMBER_PARAM(Boolean, int, VIR_TYPED_PARAM_BOOLEAN, b)
#undef VIRT_NUMBER_SET
#undef VIRT_NUMBER_PARAM

int
virTypedParamsGetString(virTypedParameterPtr params, int nparams, const char *name, const char **value)
{
    virTypedParameterPtr param;
    int rc = virTypedParamFind(params, nparams, name, VIR_TYPED_PARAM_STRING, &param);

    if (rc == 1 && value != NULL)
        *value = param->value.s;
    return rc;
}

int
virTypedParamsAddString(virTypedParameterPtr *params, int *nparams, int *maxparams, const char *name, const char *value)
{
    virTypedParameterPtr param = virTypedParamRoom(params, nparams, maxparams, name, VIR_TYPED_PARAM_STRING);

    if (param == NULL)
        goto failed;
    if ((param->value.s = strdup(value != NULL ? value : "")) == NULL) {
        virReportNoMemory();
        goto failed;
    }
    (*nparams)++;
    return 0;

failed:
    virErrorDispatch(NULL);
    return -1;
}

int
virTypedParamsAddStringList(virTypedParameterPtr *params, int *nparams, int *maxparams, const char *name, const char **values)
{
    int before = nparams != NULL ? *nparams : 0;

    for (; values != NULL && *values != NULL; values++) {
        if (virTypedParamsAddString(params, nparams, maxparams, name, *values) == 0)
            continue;
        if (params != NULL && nparams != NULL && *params != NULL) {
            virTypedParamsClear(*params + before, *nparams - before);
            *nparams = before;
        }
        return -1;
    }
    return 0;
}

static int
virTypedParamParse(virTypedParameterPtr param, const char *value)
{
    unsigned long long number = 0;
    bool negative = *value == '-';

    switch (param->type) {
    case VIR_TYPED_PARAM_DOUBLE:
        return virDoubleParse(value, &param->value.d);
    case VIR_TYPED_PARAM_BOOLEAN:
        param->value.b = strcmp(value, "1") == 0;
        return param->value.b || strcmp(value, "0") == 0 ? 0 : -1;
    case VIR_TYPED_PARAM_STRING:
        return (param->value.s = virStringCopy(value)) != NULL ? 0 : -1;
    default:
        break;
    }
    if (virStringToULL(value + (negative ? 1 : 0), 10, &number) < 0)
        return -1;
    switch (param->type) {
    case VIR_TYPED_PARAM_INT:
        param->value.i = negative ? (int)-(long long)number : (int)number;
        return number <= (unsigned long long)INT_MAX + (negative ? 1 : 0) ? 0 : -1;
    case VIR_TYPED_PARAM_UINT:
        param->value.ui = (unsigned int)number;
        return !negative && number <= UINT_MAX ? 0 : -1;
    case VIR_TYPED_PARAM_LLONG:
        param->value.l = negative ? (long long)(0 - number) : (long long)number;
        return number <= (unsigned long long)LLONG_MAX + (negative ? 1 : 0) ? 0 : -1;
    case VIR_TYPED_PARAM_ULLONG:
        param->value.ul = number;
        return !negative ? 0 : -1;
    default:
        return -1;
    }
}

int
virTypedParamsAddFromString(virTypedParameterPtr *params, int *nparams, int *maxparams, const char *name, int type,
                            const char *value)
{
    virTypedParameterPtr param = virTypedParamRoom(params, nparams, maxparams, name, type);

    if (param != NULL && virTypedParamParse(param, value != NULL ? value : "") == 0) {
        (*nparams)++;
        return 0;
    }
    if (virGetLastErrorCode() == VIR_ERR_OK)
        virReportError(VIR_ERR_INVALID_ARG, "parameter '%s': '%s' is no %s", name, value != NULL ? value : "(null)",
                       virTypedParamTypeName(type));
    virErrorDispatch(NULL);
    return -1;
}

void
virTypedParamsClear(virTypedParameterPtr params, int nparams)
{
    int i;

    for (i = 0; params != NULL && i < nparams; i++)
        if (params[i].type == VIR_TYPED_PARAM_STRING) {
            free(params[i].value.s);
            params[i].value.s = NULL;
        }
}

void
virTypedParamsFree(virTypedParameterPtr params, int nparams)
{
    virTypedParamsClear(params, nparams);
    free(params);
}

VIRT_INTERNAL virTypedParameterPtr
virTypedParamsCopy(const virTypedParameter *params, int nparams)
{
    virTypedParameterPtr copy;
    int i;

    if (nparams <= 0 || (copy = virAllocate(sizeof(*copy) * (size_t)nparams)) == NULL)
        return NULL;
    for (i = 0; i < nparams; i++) {
        copy[i] = params[i];
        if (params[i].type != VIR_TYPED_PARAM_STRING || params[i].value.s == NULL)
            continue;
        if ((copy[i].value.s = virStringCopy(params[i].value.s)) == NULL) {
            virTypedParamsFree(copy, i);
            return NULL;
        }
    }
    return copy;
}

#undef VIRT_FROM

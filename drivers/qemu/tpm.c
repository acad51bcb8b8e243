/*
 * TPM devices: an emulator (swtpm, which this library starts and ends with the guest), somebody else's emulator, or the host's chip.
 */
#include "device.h"

#include <unistd.h>

#define VIRT_FROM VIR_FROM_QEMU

/*
 * What a TPM holds outlives the guest's run: it is kept beside the run directories, under the guest's uuid. Caller frees.
 */
static char *
qemuTpmStateDirectory(struct qemuCommand *command)
{
    const char *uuid = virXmlNeed(virXmlRoot(command->doc), "uuid"), *run = command->runDirectory, *end;

    if (uuid == NULL || run == NULL)
        return NULL;
    end = run + strlen(run);
    for (int parts = 0; end > run && parts < 2; parts++)        /* <root>/run/<name> */
        for (end--; end > run && *end != '/'; end--)
            ;
    return virStringFormat("%.*s/swtpm/%s", (int)(end - run), run, uuid);
}

/* Starts swtpm on a socket that listens already, so that nothing has to wait for it. */
static int
qemuTpmStart(struct qemuCommand *command, xmlNodePtr device, const char *socket, bool two)
{
    VIRT_CLEANUP_FREE char *program = qemuFindProgram("swtpm");
    VIRT_CLEANUP_FREE char *directory = qemuTpmStateDirectory(command);
    VIRT_CLEANUP_FREE char *control = NULL;
    VIRT_CLEANUP_FREE char *state = NULL;
    VIRT_CLEANUP_CLOSE int fd = -1;

    if (directory == NULL)
        return -1;
    if (program == NULL)
        return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                                "an emulated TPM needs swtpm, which is not installed");
    unlink(socket);
    if (virFileMakePath(directory, 0700) < 0 || (fd = virFileListen(socket, 1)) < 0 ||
        (control = virStringFormat("type=unixio,fd=%d", fd)) == NULL ||
        (state = virStringFormat("dir=%s,mode=0600", directory)) == NULL)
        return -1;
    return qemuStartHelper(command, device,
                           (const char *const[]){ program, "socket", "--ctrl", control, "--tpmstate",
                                                  state, "--terminate", two ? "--tpm2" : NULL, NULL },
                           fd);
}

/* The backend: its text for -tpmdev, or NULL with the error set. */
static char *
qemuTpmBackend(struct qemuCommand *command, xmlNodePtr device, const char *id, struct qemuDeviceSet *set)
{
    static const char *const types[] = { "passthrough", "emulator", "external", NULL };
    static const char *const versions[] = { "2.0", "1.2", NULL };
    VIRT_CLEANUP_FREE char *chardev = qemuDeviceId(device, "chr");
    VIRT_CLEANUP_FREE char *own = NULL;
    struct virText text = { 0 };
    const char *path;
    int type = -1, version = 0;

    if (chardev == NULL || virXmlEnum(device, "backend/@type", types, &type) < 0 ||
        (type == 1 && virXmlEnum(device, "backend/@version", versions, &version) < 0))
        return NULL;
    if (type < 0) {
        qemuDeviceReport(device, VIR_ERR_XML_ERROR, "it needs a <backend type=...>");
        return NULL;
    }
    if (type == 0) {
        path = virXmlString(device, "backend/device/@path");
        virTextAdd(&text, "passthrough,id=%s", id);
        qemuTextOption(&text, "path", path != NULL ? path : "/dev/tpm0");
        return virTextTake(&text);
    }
    if (virXmlFind(device, "backend/encryption") != NULL) {
        qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED,
                         "encrypted TPM state needs secrets, which are not supported");
        return NULL;
    }
    virXmlEquals(device, "backend/@persistent_state", "yes");   /* it always is */
    if (type == 2)
        path = virXmlNeed(device, "backend/source/@path");
    else
        path = own = qemuRunPath(command, device, ".tpm");
    if (path == NULL ||
        (type == 1 && !command->dry && qemuTpmStart(command, device, path, version == 0) < 0) ||
        qemuChardevAddUnix(set, chardev, path, false, 0) < 0)
        return NULL;
    virTextAdd(&text, "emulator,id=%s,chardev=%s", id, chardev);
    return virTextTake(&text);
}

/*
 * The device in the guest, and a -tpmdev behind it. POWER's proxy is the exception: it has no back
 * end.
 */
VIRT_INTERNAL int
qemuBuildTpm(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    static const char *const models[] = { "tpm-tis", "tpm-crb", "tpm-spapr", "spapr-tpm-proxy", NULL };
    const char *arch = qemuCapabilitiesArch(command->caps), *driver;
    int model = strncmp(arch, "ppc", 3) == 0 ? 2 : 0;
    VIRT_CLEANUP_FREE char *id = qemuDeviceId(device, "tpm-");
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (id == NULL || virXmlEnum(device, "@model", models, &model) < 0)
        return -1;
    driver = model == 0 && (strcmp(arch, "aarch64") == 0 || strncmp(arch, "arm", 3) == 0)
                 ? "tpm-tis-device"
                 : models[model];
    if (model == 3) {
        const char *path = virXmlString(device, "backend/device/@path");

        if ((object = qemuDeviceObject(command, device, driver, false)) == NULL ||
            virJsonAdd(object, "s:host-path", path != NULL ? path : "/dev/tpmrm0", NULL) < 0)
            return -1;
        return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
    }
    if (qemuDeviceSetArguments(set, "-tpmdev", qemuTpmBackend(command, device, id, set)) < 0 ||
        (object = qemuDeviceObject(command, device, driver, false)) == NULL ||
        virJsonAdd(object, "s:tpmdev", id, NULL) < 0)
        return -1;
    return qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object);
}

#undef VIRT_FROM

/*
 * Sound cards and the host's audio they play to.
 */
#include "device.h"

#define VIRT_FROM VIR_FROM_QEMU

/* ---------- audio: the host's side ---------- */

static const struct { const char *type, *driver; } qemuAudioDrivers[] = {
    { "none", "none" }, { "spice", "spice" }, { "pulseaudio", "pa" }, { "file", "wav" },  { "oss", "oss" },
    { "sdl", "sdl" },   { "alsa", "alsa" },   { "jack", "jack" },     { "dbus", "dbus" }, { "coreaudio", "coreaudio" },
};

static const struct qemuProperty qemuAudioCommon[] = {
    { QEMU_PROPERTY_NUMBER, "@timerPeriod", "timer-period" },
    { QEMU_PROPERTY_STRING, "@path",        "path" },
    { QEMU_PROPERTY_BOOL,   "@tryMMap",     "try-mmap" },
    { QEMU_PROPERTY_BOOL,   "@exclusive",   "exclusive" },
    { QEMU_PROPERTY_NUMBER, "@dspPolicy",   "dsp-policy" },
    { QEMU_PROPERTY_STRING, "@serverName",  "server" },
    { 0, NULL, NULL },
};

/* The same for input and output, and for every driver: one that does not know a property says so. */
static const struct qemuProperty qemuAudioDirection[] = {
    { QEMU_PROPERTY_BOOL,   "@mixingEngine",       "mixing-engine" },
    { QEMU_PROPERTY_BOOL,   "@fixedSettings",      "fixed-settings" },
    { QEMU_PROPERTY_NUMBER, "@voices",             "voices" },
    { QEMU_PROPERTY_NUMBER, "@bufferLength",       "buffer-length" },
    { QEMU_PROPERTY_NUMBER, "settings/@frequency", "frequency" },
    { QEMU_PROPERTY_NUMBER, "settings/@channels",  "channels" },
    { QEMU_PROPERTY_STRING, "settings/@format",    "format" },
    { QEMU_PROPERTY_STRING, "@dev",                "dev" },
    { QEMU_PROPERTY_NUMBER, "@bufferCount",        "buffer-count" },
    { QEMU_PROPERTY_BOOL,   "@tryPoll",            "try-poll" },
    { QEMU_PROPERTY_STRING, "@name",               "name" },
    { QEMU_PROPERTY_STRING, "@streamName",         "stream-name" },
    { QEMU_PROPERTY_NUMBER, "@latency",            "latency" },
    { QEMU_PROPERTY_STRING, "@serverName",         "server-name" },
    { QEMU_PROPERTY_STRING, "@clientName",         "client-name" },
    { QEMU_PROPERTY_STRING, "@connectPorts",       "connect-ports" },
    { QEMU_PROPERTY_BOOL,   "@exactName",          "exact-name" },
    { 0, NULL, NULL },
};

/* QEMU calls the two directions in and out. */
static int
qemuAudioAddDirection(xmlNodePtr device, const char *element, const char *key, cJSON *audio)
{
    xmlNodePtr node = virXmlFirst(device, element);
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (node == NULL)
        return 0;
    if ((object = virJsonObject("S:", NULL, NULL)) == NULL ||
        qemuAddProperties(node, object, qemuAudioDirection) < 0)
        return -1;
    return virJsonAdd(audio, key, qemuTake(&object), NULL);
}

/* Audio back ends exist only from the start on: there is no way to plug one in later. */
static int
qemuAudioAdd(struct qemuDeviceSet *set, cJSON *audio)
{
    return qemuDeviceSetArguments(set, "-audiodev", virJsonFormat(audio));
}

/* The number in the document becomes the name that cards and displays refer to. */
VIRT_INTERNAL int
qemuBuildAudio(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    const char *id = virXmlNeed(device, "@id"), *type = virXmlNeed(device, "@type"), *driver = NULL;
    VIRT_CLEANUP_FREE char *name = NULL;
    VIRT_CLEANUP_JSON cJSON *audio = NULL;

    (void)command;
    if (id == NULL || type == NULL || (name = virStringFormat("audio%s", id)) == NULL)
        return -1;
    for (size_t i = 0; i < sizeof(qemuAudioDrivers) / sizeof(*qemuAudioDrivers); i++)
        if (strcmp(qemuAudioDrivers[i].type, type) == 0)
            driver = qemuAudioDrivers[i].driver;
    if (driver == NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "audio '%s': unknown type '%s'", id, type);
    if ((audio = virJsonObject("s:id", name, "s:driver", driver, NULL)) == NULL ||
        qemuAddProperties(device, audio, qemuAudioCommon) < 0 ||
        qemuAudioAddDirection(device, "input", "a:in", audio) < 0 ||
        qemuAudioAddDirection(device, "output", "a:out", audio) < 0)
        return -1;
    return qemuAudioAdd(set, audio);
}

/* ---------- sound: the guest's side ---------- */

/*
 * The audio a card belongs to: the one it names, else the first of the guest. A guest without any gets a silent one with its
 * first card, because QEMU would otherwise look for a desktop's sound server. NULL with the error set.
 */
static char *
qemuSoundAudio(xmlNodePtr device, struct qemuDeviceSet *set)
{
    xmlNodePtr audio = virXmlFirst(device->parent, "audio");
    const char *id = virXmlString(device, "audio/@id");
    VIRT_CLEANUP_JSON cJSON *silent = NULL;

    if (id == NULL && audio != NULL)
        id = virXmlString(audio, "@id");
    if (id != NULL)
        return virStringFormat("audio%s", id);
    if (virXmlFirst(device->parent, "sound") == device &&
        ((silent = virJsonObject("s:id", "audio1", "s:driver", "none", NULL)) == NULL ||
         qemuAudioAdd(set, silent) < 0))
        return NULL;
    return virStringCopy("audio1");
}

/* One codec on the card's own bus. */
static int
qemuSoundAddCodec(const char *alias, const char *type, unsigned int number, const char *audio,
                  struct qemuDeviceSet *set)
{
    VIRT_CLEANUP_FREE char *driver = virStringFormat("hda-%s", type);
    VIRT_CLEANUP_FREE char *id = virStringFormat("%s-codec%u", alias, number);
    VIRT_CLEANUP_FREE char *bus = virStringFormat("%s.0", alias);

    if (driver == NULL || id == NULL || bus == NULL)
        return -1;
    return qemuDeviceSetAdd(set, QEMU_OPTION_DEVICE,
                            virJsonObject("s:driver", driver, "s:id", id, "s:bus", bus, "i:cad",
                                          (int)number, "s:audiodev", audio, NULL));
}

/*
 * A card with no codec in the document has one that plays and records, as libvirt's documents mean it.
 */
static int
qemuSoundAddCodecs(xmlNodePtr device, const char *audio, struct qemuDeviceSet *set)
{
    static const char *const types[] = { "duplex", "micro", "output", NULL };
    const char *alias = qemuDeviceAlias(device);
    unsigned int count = 0;
    int type = 0;

    if (alias == NULL)
        return -1;
    VIRT_XML_EACH(codec, device, "codec")
        if (virXmlEnum(codec, "@type", types, &type) < 0 ||
            qemuSoundAddCodec(alias, types[type], count++, audio, set) < 0)
            return -1;
    return count > 0 ? 0 : qemuSoundAddCodec(alias, "duplex", 0, audio, set);
}

static const struct { const char *model, *driver; bool codecs; } qemuSoundModels[] = {
    { "ich6", "intel-hda", true }, { "ich9", "ich9-intel-hda", true }, { "ac97", "AC97", false },
    { "es1370", "ES1370", false }, { "sb16", "sb16", false },          { "usb", "usb-audio", false },
};

/*
 * Intel HDA cards are a controller with codecs on its own bus, and the codecs have the audio; all
 * others have it themselves.
 */
VIRT_INTERNAL int
qemuBuildSound(struct qemuCommand *command, xmlNodePtr device, struct qemuDeviceSet *set)
{
    static const struct qemuProperty usb[] = { { QEMU_PROPERTY_BOOL, "@multichannel", "multi" }, { 0, NULL, NULL } };
    const char *model = virXmlNeed(device, "@model");
    VIRT_CLEANUP_FREE char *audio = NULL;
    VIRT_CLEANUP_JSON cJSON *object = NULL;

    if (model == NULL || (audio = qemuSoundAudio(device, set)) == NULL)
        return -1;
    if (strcmp(model, "pcspk") == 0)  /* part of the machine */
        return qemuDeviceSetArguments(set, "-machine", virStringFormat("pcspk-audiodev=%s", audio));
    for (size_t i = 0; i < sizeof(qemuSoundModels) / sizeof(*qemuSoundModels); i++) {
        if (strcmp(qemuSoundModels[i].model, model) != 0)
            continue;
        if ((object = qemuDeviceObject(command, device, qemuSoundModels[i].driver, false)) == NULL ||
            virJsonAdd(object, "S:audiodev", qemuSoundModels[i].codecs ? NULL : audio, NULL) < 0 ||
            (strcmp(model, "usb") == 0 && qemuAddProperties(device, object, usb) < 0) ||
            qemuDeviceSetTake(set, QEMU_OPTION_DEVICE, &object) < 0)
            return -1;
        return qemuSoundModels[i].codecs ? qemuSoundAddCodecs(device, audio, set) : 0;
    }
    return qemuDeviceReport(device, VIR_ERR_CONFIG_UNSUPPORTED, "QEMU has no sound model '%s'", model);
}

#undef VIRT_FROM

#include "check.h"
#define VIRT_FROM VIR_FROM_DOMAIN
VIRT_INTERNAL int
virDocumentCheck(xmlNodePtr domain)
{
    const char *type = virXmlString(domain, "os/type");

    if (type == NULL && virXmlFirst(domain, "bootloader") == NULL)
        return virReportError(VIR_ERR_XML_ERROR, "an os <type> must be specified");
    return 0;
}
#undef VIRT_FROM

include $(sort $(wildcard $(BR2_EXTERNAL_VIRT_PATH)/package/*/*.mk))

package resource

// Keys of Settings that mean something. For some of them the reference also
// knows another spelling.
const (
	SettingLogging          = "router-logging"
	SettingDataConnections  = "router-data-connection-count"
	SettingPriorRevisions   = "tls-prior-valid-revisions"
	SettingCertValidity     = "cert-validity"
	SettingLinkCertValidity = "link-cert-validity"
	SettingLinkCertRenewal  = "link-cert-renewal"
	SettingCAValidity       = "ca-validity"
	SettingKeyType          = "key-type"
	SettingGrantURL         = "grant-url"
	SettingDrain            = "drain-seconds"
	SettingProxy            = "proxy-configuration"
	SettingObserver         = "observer"

	settingLoggingAlias         = "routerLogging"
	settingDataConnectionsAlias = "routerDataConnections"
)

// Get finds a setting by its key or by the other spelling of it. used is the
// key under which it was found, for error messages; empty if it is absent.
func (s Settings) Get(key string) (value, used string) {
	names := []string{key}
	switch key {
	case SettingLogging:
		names = append(names, settingLoggingAlias)
	case SettingDataConnections:
		names = append(names, settingDataConnectionsAlias)
	}
	for _, name := range names {
		if v, ok := s[name]; ok {
			return v, name
		}
	}
	return "", ""
}

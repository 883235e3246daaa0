// What the SDKs need to use the sandbox's IM cloud, and no other server. `sandbox`
// has the JSON that the sandbox prints.

/** For the options of getInstance of 9.x. */
export const v1 = (sandbox) => ({
  lbsUrl: sandbox.lbs,
  defaultLink: sandbox.link,
  secure: false,
  privateConf: {
    lbs_web: sandbox.lbs,
    link_web: sandbox.link,
    link_ssl_web: false,
    isABTestEnable: false,
    isDataReportEnable: false,
    isMixStoreEnable: false,
  },
});

/** The second argument of getInstance of 10.x, with the V2 API. */
export const v2 = (sandbox) => ({
  V2NIMLoginServiceConfig: { lbsUrls: [sandbox.lbs], linkUrl: sandbox.link, linkSSL: false },
  reporterConfig: { enableCompass: false, isDataReportEnable: false },
  abtestConfig: { isAbtestEnable: false },
});

let installedRules: [Rule] = []

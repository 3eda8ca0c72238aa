let isolationRules: [Rule] = []

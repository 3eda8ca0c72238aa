let learningRules: [Rule] = []

let translationRules: [Rule] = []

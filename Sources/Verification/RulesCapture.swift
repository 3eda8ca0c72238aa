let captureRules: [Rule] = []

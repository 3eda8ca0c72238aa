let deliveryRules: [Rule] = []

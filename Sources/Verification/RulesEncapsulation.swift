let encapsulationRules: [Rule] = []

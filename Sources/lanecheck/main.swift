print("lanecheck")

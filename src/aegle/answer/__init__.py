"""From hits to an answer whose every sentence cites its evidence, or a refusal."""

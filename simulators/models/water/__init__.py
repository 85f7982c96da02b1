"""Water: booster sets, fire water, sewage and drainage."""

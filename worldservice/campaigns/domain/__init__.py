"""Pure rules of campaigns: phases, promotions, windows, blocks, canary steps, demotion, actions, the dossier."""

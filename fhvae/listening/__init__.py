"""How speech that was changed sounds: distances to a reference, pretrained judges, pairs."""

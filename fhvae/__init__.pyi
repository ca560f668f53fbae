from fhvae.errors import FhvaeError as FhvaeError
from fhvae.pretrained import Encoding as Encoding
from fhvae.pretrained import Model as Model
from fhvae.pretrained import audio_files as audio_files
from fhvae.pretrained import load as load
from fhvae.recording import Audio as Audio
from fhvae.transformer import Mu2Transformer as Mu2Transformer

"""Trained networks of lamina from Python, through ctypes: no wheel to build.

    import lamina

    with lamina.Network("runs/nuclei") as network:
        map = network.predict_file("scan.png")
        print(map.shape, max(map.data), network.threshold)
        array = map.numpy()              # if NumPy is there

Errors are lamina.Error, with the sentence and the status of lam/plugin.h. The
library is found as liblamina.so.1, or at $LAM_LIBRARY.
"""
import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_void_p


class _Map(ctypes.Structure):
    _fields_ = [("data", POINTER(c_float)), ("channels", c_int),
                ("height", c_int), ("width", c_int)]


_LOG = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p)
_INT_P = POINTER(c_int)
_SIGNATURES = {  # result, arguments, as in lam/lam.h
    "lam_version": (c_char_p, []),
    "lam_status_text": (c_char_p, [c_int]),
    "lam_context_create": (c_void_p, []),
    "lam_context_destroy": (None, [c_void_p]),
    "lam_context_set_log": (None, [c_void_p, _LOG, c_void_p]),
    "lam_error": (c_char_p, [c_void_p]),
    "lam_network_open": (c_int, [c_void_p, c_char_p, c_char_p,
                                 POINTER(c_void_p)]),
    "lam_network_close": (None, [c_void_p]),
    "lam_network_device": (c_char_p, [c_void_p]),
    "lam_network_size": (None, [c_void_p, _INT_P, _INT_P]),
    "lam_network_threshold": (c_double, [c_void_p]),
    "lam_network_predict": (c_int, [c_void_p, POINTER(c_float), c_int, c_int,
                                    c_int, c_int, POINTER(_Map)]),
    "lam_network_predict_file": (c_int, [c_void_p, c_char_p, c_int, c_int,
                                         POINTER(_Map)]),
    "lam_map_free": (None, [POINTER(_Map)]),
}
_library = ctypes.CDLL(os.environ.get("LAM_LIBRARY", "liblamina.so.1"))
for _name, (_result, _arguments) in _SIGNATURES.items():
    _function = getattr(_library, _name)
    _function.restype, _function.argtypes = _result, _arguments


def version():
    """The version of the library, "0.1.0"."""
    return _library.lam_version().decode()


class Error(Exception):
    """A call that failed: its sentence, and `status`, a negative number."""

    def __init__(self, status, sentence):
        text = sentence or _library.lam_status_text(status).decode()
        super().__init__(text)
        self.status = status


class Map:
    """Probabilities: data[(c * height + y) * width + x], shape (c, h, w)."""

    def __init__(self, raw):
        self.shape = raw.channels, raw.height, raw.width
        size = raw.channels * raw.height * raw.width
        self.data = (c_float * size).from_buffer_copy(
            ctypes.string_at(raw.data, size * ctypes.sizeof(c_float)))
        _library.lam_map_free(byref(raw))

    def numpy(self):
        """The same memory as an array of float32; needs NumPy."""
        import numpy
        return numpy.frombuffer(self.data, numpy.float32).reshape(self.shape)


class Network:
    """A checkpoint or a run's folder on a device, ready to predict.

    device: as for `lamina --device`; None takes the best. log: called with
    (level, text), level 0 debug, 1 information, 2 warning. Use it from one
    thread at a time.
    """

    def __init__(self, path, device=None, log=None):
        self._network = c_void_p()
        self._ctx = _library.lam_context_create()
        if not self._ctx:
            raise MemoryError
        # Kept, or it would be collected while the library calls it.
        self._log = _LOG(lambda data, level, text: log(
            level, text.decode(errors="replace"))) if log else _LOG()
        _library.lam_context_set_log(self._ctx, self._log, None)
        try:
            self._check(_library.lam_network_open(
                self._ctx, os.fsencode(path),
                device.encode() if device is not None else None,
                byref(self._network)))
        except Error:
            self.close()
            raise
        height, width = c_int(), c_int()
        _library.lam_network_size(self._network, byref(height), byref(width))
        self.size = height.value, width.value
        self.device = _library.lam_network_device(self._network).decode()
        self.threshold = _library.lam_network_threshold(self._network)

    def _check(self, status):
        if status:
            raise Error(status, _library.lam_error(self._ctx).decode(
                errors="replace"))

    def _opened(self):
        if not self._network:
            raise ValueError("the network is closed")
        return self._network

    def predict(self, pixels, size=None, tile=0, overlap=32):
        """A Map of an image in memory, 0 black to 1 white.

        pixels: rows of numbers, a NumPy array [height, width], or with size
        (height, width) numbers row by row (array.array("f") without a copy).
        tile: in squares of this side, which share `overlap` pixels.
        """
        if size is None:
            if hasattr(pixels, "astype"):
                size = pixels.shape
                pixels = memoryview(pixels.astype("float32").tobytes())
            else:
                size = len(pixels), len(pixels[0]) if len(pixels) else 0
                if any(len(row) != size[1] for row in pixels):
                    raise ValueError("rows of different lengths")
                pixels = [x for row in pixels for x in row]
        if len(size) != 2:
            raise ValueError(f"a shape of {tuple(size)}; wanted (height, width)")
        n = size[0] * size[1]
        buffer = (c_float * n)
        if isinstance(pixels, (list, tuple)):
            if len(pixels) != n:
                raise ValueError(f"{len(pixels)} pixels; wanted {n}")
            buffer = buffer(*pixels)
        else:
            view = memoryview(pixels).cast("B")
            if view.nbytes != n * ctypes.sizeof(c_float):
                raise ValueError(f"{view.nbytes} bytes; wanted {n} floats")
            buffer = buffer.from_buffer_copy(view) if view.readonly \
                else buffer.from_buffer(view)
        raw = _Map()
        self._check(_library.lam_network_predict(
            self._opened(), buffer, size[0], size[1], tile, overlap,
            byref(raw)))
        return Map(raw)

    def predict_file(self, path, tile=0, overlap=32):
        """A Map of an image file, read as `lamina predict` does."""
        raw = _Map()
        self._check(_library.lam_network_predict_file(
            self._opened(), os.fsencode(path), tile, overlap, byref(raw)))
        return Map(raw)

    def close(self):
        """Gives the device's memory back; also at the end of `with`."""
        _library.lam_network_close(self._network)
        _library.lam_context_destroy(self._ctx)
        self._network = c_void_p()
        self._ctx = None

    def __del__(self):
        if getattr(self, "_ctx", None):
            self.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

#include "memory_json.h"

void memory_json(struct lam_json *json, const char *key,
                 const struct lam_memory *m)
{
    lam_json_object(json, key);
    lam_json_int(json, "total_bytes", m->total);
    lam_json_int(json, "activation_bytes", m->activations);
    lam_json_int(json, "weight_bytes", m->weights);
    lam_json_int(json, "gradient_bytes", m->weight_grads);
    lam_json_int(json, "optimizer_bytes", m->optimizer);
    lam_json_int(json, "workspace_bytes", m->workspace);
    lam_json_int(json, "largest_buffer_bytes", m->largest);
    lam_json_int(json, "buffers", m->n_slots);
    lam_json_int(json, "joined", m->n_joined);
    lam_json_int(json, "joined_gradients", m->n_joined_backward);
    lam_json_int(json, "shared_gradients", m->n_same);
    lam_json_close(json);
}
